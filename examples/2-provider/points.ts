import { defineProvider, unary } from '@backplane/sdk'
import { z } from 'zod'

export const Note = z.object({ text: z.string(), seal: z.string() })
export type Note = z.infer<typeof Note>

/** A place that keeps notes. It is opened once for each owner, and each opened notebook is separate. */
export const notebook = defineProvider(
  'example.notebook',
  {
    add: unary(z.string().min(1), Note),
    list: unary(z.null(), z.array(Note)),
  },
  { open: z.object({ owner: z.string().min(1) }) },
)
