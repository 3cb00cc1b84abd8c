"""Beyond the paper: when the contrast pays, accuracy over beta1 x beta2, whether the plan matters."""
