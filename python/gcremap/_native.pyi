"""The extension module. Its contents are private: use `gcremap`."""
