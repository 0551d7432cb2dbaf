import { defineProvider, unary } from '@backplane/sdk'
import { z } from 'zod'

/** What a command answers: text for people, data for programs. */
export const CommandOutput = z.object({ text: z.string().max(1_000_000), data: z.unknown().optional() })
export type CommandOutput = z.output<typeof CommandOutput>

/** A command of the `exliar` program: its name and description are in the manifest, so it is listed without starting anything. */
// oxlint-disable-next-line typescript/explicit-module-boundary-types -- inferred from the schemas above
export const command = defineProvider(
  'exliar.command',
  {
    /** `args` are as the person wrote them. */
    run: unary(z.object({ args: z.array(z.string()) }), CommandOutput, { timeoutMs: 10 * 60_000 }),
  },
  {
    title: 'A command of the program',
    metadata: z.object({ description: z.string().min(1).max(200), usage: z.string().max(400).optional() }),
  },
)
