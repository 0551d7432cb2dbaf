import { defineProvider, optional, unary } from '@backplane/sdk'
import { z } from 'zod'
import { GpuDevice } from './devices.ts'
import { KernelParameter } from './kernel-parameter.ts'
import { SystemInfo } from './system-info.ts'

/** Something a model needs to work in a guest. */
export const QuirkSetting = z.object({
  name: z.string().min(1).max(80),
  description: z.string().max(1_000),
  /** For the machine's configuration, as people may paste it. */
  xml_snippet: z.string().max(10_000).nullable().default(null),
  command_line_option: z.string().max(1_000).nullable().default(null),
  /** Parameters the kernel should be given: `i915.enable_gvt=1`. */
  kernel_parameters: z.array(KernelParameter).max(20).default([]),
  /** Modules that must be loaded: `vendor-reset`. */
  kernel_modules: z
    .array(z.string().regex(/^[\w-]+$/, 'is no module name'))
    .max(20)
    .default([]),
})
export type QuirkSetting = z.output<typeof QuirkSetting>

/** What a handler says of a card it was asked about. */
export const Readiness = z.object({
  ready: z.boolean(),
  /** What is missing, or what to know, in sentences. */
  notes: z.array(z.string().max(1_000)).max(50),
})
export type Readiness = z.output<typeof Readiness>

const Asked = z.object({ gpu: GpuDevice, system: SystemInfo })

/** Knows the cards of one maker. Asked for every card; what it proposes is shown in the plan and changes nothing by itself. */
// oxlint-disable-next-line typescript/explicit-module-boundary-types -- inferred from the schemas above
export const gpuHandler = defineProvider(
  'exliar.gpu-handler',
  {
    supportsDevice: unary(Asked, z.boolean()),
    /** Settings this card needs, with the kernel parameters and modules the plan should carry. */
    applyQuirks: unary(Asked, z.array(QuirkSetting).max(50)),
    /** Last words before the card is bound; `ready: false` stops the plan. */
    prepareForPassthrough: optional(unary(Asked, Readiness)),
    /** Whether the card, bound as it is now, will work. */
    verifyPassthroughReady: optional(unary(Asked, Readiness)),
  },
  {
    title: 'What a maker’s cards need',
    permission: 'pci:read',
    metadata: z.object({ description: z.string().max(400).optional() }),
  },
)
