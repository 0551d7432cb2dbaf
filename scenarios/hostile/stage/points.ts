import { anything, defineProvider, optional, unary } from '@backplane/sdk'
import { z } from 'zod'

/** What attackers provide: one method for every attack, and one whose answers have a form to break. */
export const attacks = defineProvider('hostile.attacks', {
  run: unary(anything, anything),
  count: optional(unary(anything, z.object({ many: z.number().int().max(100) }))),
})

/** What the innocent plugin provides. */
export const work = defineProvider('hostile.work', { run: unary(anything, anything) })
