"""The parts of the Fashion-MNIST introduction: one module, one job."""
