"""TensorFlow's C++ runtime, called directly."""
