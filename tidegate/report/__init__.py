"""What an update does to endpoints, in the words of serving: weights, images, keys, and what restarts."""
