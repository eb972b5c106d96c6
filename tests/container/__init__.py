"""The image and a site of its containers, in podman without root."""
