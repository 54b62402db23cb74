"""A metric as a Hub Space: its one file, a README made from that file, and an app."""
