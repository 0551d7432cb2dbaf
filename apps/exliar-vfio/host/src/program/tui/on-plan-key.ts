import type { PciDevice } from '@exliar-vfio/points'
import { listedDevices, nextGpu, selectionOf } from './views/devices-body.ts'
import { firstLine, screenBody } from './views/screen-body.ts'
import { said, type Next, type PlanChoices, type PlanPart, type TuiState } from './tui-state.ts'

/** What a key does on the devices screen: which cards the plan is for. */
export function onDevices(state: TuiState, key: string): Next {
  if (state.detection.kind !== 'there') return [state, []]
  const device = listedDevices(state.detection.value)[state.device]
  if (device === undefined) return [state, []]
  switch (key) {
    case 'c':
      return makePlan(state)
    case 'g':
    case 'enter':
      return [{ ...state, details: state.details === null ? device.bdf : null, scroll: 0 }, []]
    case 'n': {
      const next = { ...state, device: Math.max(0, nextGpu(state.detection.value, state.device)) }
      return [{ ...next, scroll: firstLine(next, screenBody(next)) }, []]
    }
    case 's':
      return [chosen(state, device, 'selected'), []]
    case 't':
      return [chosen(state, device, 'takeAlong'), []]
    default:
      return [state, []]
  }
}

/** A card is selected, or goes along, or neither. */
function chosen(state: TuiState, device: PciDevice, as: 'selected' | 'takeAlong'): TuiState {
  const wish = selectionOf(device)
  const other = as === 'selected' ? 'takeAlong' : 'selected'
  const was = state[as].includes(wish)
  const next: TuiState = {
    ...state,
    plan: { kind: 'none' },
    [as]: was ? state[as].filter((one) => one !== wish) : [...state[as], wish],
    [other]: state[other].filter((one) => one !== wish),
  }
  if (was) return said(next, `${wish} stays.`)
  return said(
    next,
    as === 'selected' ? `${wish} is selected: c makes the plan.` : `${wish} goes along, where a selected card needs its group.`,
  )
}

/** What a key does on the plan screen. */
export function onPlan(state: TuiState, key: string): Next {
  const { choices, plan, work } = state
  switch (key) {
    case 'c':
      return makePlan(state)
    case 'w':
      return makePlan(state, { ...choices, bind: choices.bind === 'now' ? 'at-start' : 'now' })
    case 'b':
      return makePlan(state, { ...choices, allowBootScreen: !choices.allowBootScreen })
    case 'i':
      return makePlan(state, withoutPart(choices, 'initramfs'))
    case 'l':
      return makePlan(state, withoutPart(choices, 'bootloader'))
    case 'a': {
      if (work.kind !== 'idle') return [state, []]
      if (plan.kind !== 'made') return [said(state, 'There is no plan: press c.'), []]
      const steps = plan.plan.stages.reduce((sum, stage) => sum + stage.steps.length, 0)
      if (plan.plan.stages.length === 0) return [said(state, 'Nothing is to be done.'), []]
      return [{ ...state, prompt: { kind: 'apply', steps } }, []]
    }
    default:
      return [state, []]
  }
}

/** Leaves a part out, or takes it in again. */
function withoutPart(choices: PlanChoices, part: PlanPart): PlanChoices {
  const { leaveOut } = choices
  return { ...choices, leaveOut: leaveOut.includes(part) ? leaveOut.filter((one) => one !== part) : [...leaveOut, part] }
}

function makePlan(state: TuiState, choices = state.choices): Next {
  if (state.work.kind !== 'idle') return [said(state, 'The machine is being changed: wait until that is done.'), []]
  const { selected, takeAlong } = state
  if (selected.length === 0) return [said({ ...state, choices }, 'Select a card with s first.'), []]
  const wish = { selected, takeAlong, choices }
  const making: TuiState = {
    ...state,
    screen: 'plan',
    choices,
    plan: { kind: 'making', wish },
    result: null,
    details: null,
    scroll: 0,
  }
  return [making, [{ kind: 'make-plan', wish }]]
}
