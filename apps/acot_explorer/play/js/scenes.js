// Six guided scenes, each a sentence and one thing to do; a scene sets the stage, and leaves it to be played with.

const all = {couplings: true, negatives: true, subspace: true, mean: false}

export const SCENES = [
  {
    title: "What is a sequence?",
    text: "Each dot is a frame: three non-negative features scaled to unit length, so a point of this triangle. Dots grow "
      + "with time. x and y wander, as backgrounds do; z is the cue, and here it grows.",
    task: "Drag a frame, or draw a sequence of your own.",
    stage: {preset: "growing", shows: "none", layers: {...all, couplings: false, negatives: false, subspace: false}, mode: "descent"},
  },
  {
    title: "Averages forget",
    text: "The cross is the average frame. Reverse time and every frame is still there: their average "
      + "stays, and so does their principal direction, although the cue now fades where it grew.",
    task: "Press “Reverse time” and watch what moves.",
    stage: {preset: "growing", shows: "none", layers: {...all, couplings: false, negatives: false, subspace: false, mean: true}, mode: "descent"},
  },
  {
    title: "The adversary",
    text: "A small WGAN learns noise that, taken from a frame, fools the frame classifier. The squares are what is left: "
      + "they keep the background and lose the cue.",
    task: "Press play: the noise begins at random, and learns to take the cue.",
    stage: {preset: "growing", shows: "none", layers: {...all, couplings: false, subspace: false}, mode: "adversary", play: true},
  },
  {
    title: "The plan pairs",
    text: "Optimal transport couples frames with negatives at the least total cost, so each frame is compared with its own "
      + "look-alikes: what differs between them is the cue, not the background.",
    task: "Hover over a frame: its partners light up, and the triangle is their average T.",
    stage: {preset: "growing", shows: "none", layers: {...all, subspace: false}, mode: "descent"},
  },
  {
    title: "U turns",
    text: "Every point of the disk is a direction U, and its colour the objective: the lower, the better. The star walks from "
      + "PCA's direction to the lowest: to what the negatives lack (contrast) and to what grows with time (order).",
    task: "Drag the ring: can you beat the solver? Then move β₁ and β₂.",
    stage: {preset: "growing", shows: "value", layers: all, mode: "descent", play: true},
  },
  {
    title: "Does it help?",
    text: "Sixty sequences, half of them reversed (yellow), each a dot. As averages or principal directions they lie on one "
      + "heap; as U they part, the more the heavier β₂. In %: how often the nearest dot is of the same colour.",
    task: "Choose each. At β₂ = 0 the colours mix, at 30 they part.",
    stage: {preset: "growing", shows: "value", layers: {...all, couplings: false}, mode: "descent", classes: "acot"},
  },
]
