"""The simulated world: users who consume what is recommended to them, and whose true behaviour is known.

``settings`` says what a world is like, ``population`` draws one or fits it to data, ``policy`` and ``strategies`` are
what is shown, ``simulate`` lets days go by, ``truth`` compares everybody treated with nobody treated, and ``realism``
holds a world against the data it should be like.
"""
