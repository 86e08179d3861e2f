"""Where workers run. One kind so far: processes on this machine."""
