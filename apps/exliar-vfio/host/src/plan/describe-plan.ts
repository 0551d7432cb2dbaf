import type { Step } from '../changes/step.ts'
import type { Plan } from './plan.ts'

/** A plan for people: what moves, what is done in which order and for whom, what of each file changes. */
export function describePlan(plan: Plan): string {
  const steps = plan.stages.flatMap((stage) => stage.steps)
  const moving = plan.functions.map(({ device, because }) => {
    const driver = device.driver === 'vfio-pci' ? 'already bound to vfio-pci' : `now ${device.driver ?? 'without a driver'}`
    return `  ${device.bdf}  ${device.class}: ${device.vendor_name} ${device.device_name} (${driver}). ${because}`
  })
  const parts = [
    `Plan: ${plan.title}`,
    ['Functions that move together:', ...moving].join('\n'),
    steps.length === 0 ? 'Nothing is to be done: everything is as it should be.' : ['Steps:', ...steps.map(stepLine)].join('\n'),
    ...(plan.notes.length === 0 ? [] : [['To know:', ...plan.notes.map((note) => `  - ${note}`)].join('\n')]),
    ...(plan.diffs.length === 0 ? [] : [['Files:', ...plan.diffs.map(({ diff }) => diff.trimEnd())].join('\n')]),
    plan.reboot ? 'The machine must start again before all of it counts.' : 'No restart is needed.',
  ]
  return `${parts.join('\n\n')}\n`
}

function stepLine({ summary, cause }: Step, index: number): string {
  const by = cause === null ? '' : `  [${cause.plugin}, ${cause.hook}]`
  return `  ${index + 1}. ${summary}${by}`
}
