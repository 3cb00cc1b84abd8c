"""The image side of Sec. 4.3: auto-encoder, classifier and the adversary on latents (Figure 3)."""
