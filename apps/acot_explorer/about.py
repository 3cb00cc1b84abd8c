"""Words about the explorer, in plain language, and a glossary of those that it uses."""

__all__ = ["ABOUT", "PAPER"]

PAPER = "https://proceedings.mlr.press/v119/cherian20a.html"

ABOUT = f"""
**The question.** How can a sequence (a video, a movement, a recording) be put into one small object, so that
sequences can be compared? An average of the frames forgets their order and drowns what matters in the
background.

**The answer of the paper.** [Cherian & Aeron, *Representation Learning via Adversarially-Contrastive Optimal
Transport*, ICML 2020]({PAPER}). An adversary learns what it must take away from a frame so that its class can
no longer be seen; what is left are *negatives*. Optimal transport pairs the frames with their negatives, and
a *subspace* is sought whose projections are far from them, grow with time, and keep the frames as they are.
That subspace represents the sequence.

**How to use this page.** Go through the steps of the bar from left to right. In each, move a slider: the
figure follows. A coloured term of the equation leads to its slider. *Pin* keeps a figure to compare with.
*Copy link* and *Copy code* give the page, or the Python that makes its figures, to others.

| Word | Meaning |
|---|---|
| frame, x | a vector of non-negative features of unit length; a sequence X has n of them |
| negative, y | a frame from which the adversary has taken what shows its class; Y has m of them |
| adversary | a conditional Wasserstein GAN: a generator of noise, a critic, a classifier ζ to be fooled |
| fooling rate | share of negatives for which ζ ranks the true class last |
| plan, π | how much each frame has to do with each negative; found by optimal transport |
| subspace, U | k orthonormal directions: a point of the Grassmann manifold |
| distortion, β₁ | what the frames lose by the projection onto U |
| order, β₂ and η | the projected energy ‖Uᵀx‖² shall grow, by η, from a frame to the next |
| kernel | compares two sequences by their subspaces; a support vector machine classifies with it |
"""
