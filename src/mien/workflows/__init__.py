"""What joins the parts. Commands, Python users and services call these and compose nothing."""
