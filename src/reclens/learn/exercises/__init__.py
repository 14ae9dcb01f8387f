"""One file an exercise; a class in it that derives from :class:`~reclens.learn.exercise.Exercise` is found."""
