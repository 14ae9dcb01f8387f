"""The mitigation lab: what a smaller gap costs, who pays, and which mitigation to take."""
