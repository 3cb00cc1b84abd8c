// What is on the stage at the present place of the timeline: negatives, plan, U, objective.

import {between, problem, termsAt} from "./math.js"

// The number of places of the timeline, less one: iterations, half-steps, snapshots.
export function lengthOf(state) {
  if (state.mode === "alternation") { return state.alternation ? state.alternation.plans.length * 2 - 1 : 0 }
  if (state.mode === "adversary") { return Math.max(0, state.snapshots.length - 1) }
  return state.path.length - 1
}

const mixed = (a, b, share) => a.map((p, j) => (b[j] ? p.map((x, i) => (1 - share) * x + share * b[j][i]) : p))

export function weightsOf(settings) {
  return {k: settings.n_subspaces, beta1: settings.beta1, beta2: settings.beta2, eta: settings.eta}
}

export function onStage(state) {
  const {mode, at} = state
  const step = Math.min(Math.floor(at), lengthOf(state)), share = at - step
  let {negatives, plan} = state, U = null, trail = []
  if (mode === "alternation" && state.alternation) {
    const {plans, points} = state.alternation
    plan = plans[step >> 1]
    const before = points[(step + 1) >> 1], after = points[Math.min((step + 2) >> 1, points.length - 1)]
    U = step % 2 === 0 ? between(before, after, share) : before
    trail = points.slice(0, ((step + 1) >> 1) + 1)
  } else if (mode === "adversary" && state.snapshots.length) {
    const now = state.snapshots[step], then = state.snapshots[Math.min(step + 1, state.snapshots.length - 1)]
    negatives = mixed(now.negatives, then.negatives, share)
    plan = now.plan.length && now.plan[0].length === negatives.length ? now.plan : state.plan
    U = between(now.path[now.path.length - 1].p, then.path[then.path.length - 1].p, share)
  } else {
    const now = state.path[step], then = state.path[Math.min(step + 1, state.path.length - 1)]
    U = between(now.p, then.p, share)
    trail = state.path.slice(0, step + 1).map((row) => row.p)
  }
  const current = problem(state.frames, plan, negatives, weightsOf(state.settings))
  const you = state.probe || state.you
  return {
    step, negatives, plan, U, trail, problem: current, images: current.images,
    terms: termsAt(U, current), yours: you ? {p: you, ...termsAt(you, current)} : null,
    pca: termsAt(state.path[0].p, current),
  }
}
