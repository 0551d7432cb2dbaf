import { defineProvider, unary } from '@backplane/sdk'
import { z } from 'zod'

const Tone = z.enum(['plain', 'good', 'warning', 'bad', 'muted'])

/** One part of a panel. Text is shown as it is: control characters are blanked. */
export const PanelItem = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('heading'), text: z.string().max(200) }),
  z.object({ kind: z.literal('text'), text: z.string().max(4_000), tone: Tone.default('plain') }),
  z.object({
    kind: z.literal('fields'),
    fields: z.array(z.object({ label: z.string().max(80), value: z.string().max(400), tone: Tone.default('plain') })).max(100),
  }),
  z.object({
    kind: z.literal('table'),
    columns: z.array(z.string().max(80)).min(1).max(12),
    rows: z.array(z.array(z.string().max(400)).max(12)).max(500),
  }),
  /** `value` between 0 and `most`. */
  z.object({
    kind: z.literal('gauge'),
    label: z.string().max(80),
    value: z.number().nonnegative(),
    most: z.number().positive(),
    unit: z.string().max(16).default(''),
  }),
  /** Values over time, oldest first. */
  z.object({
    kind: z.literal('chart'),
    label: z.string().max(80),
    values: z.array(z.number()).max(600),
    unit: z.string().max(16).default(''),
  }),
  /** Something a person can do; doing it is a `UiEvent` of kind `action` with this id. */
  z.object({ kind: z.literal('action'), id: z.string().regex(/^[a-z][a-z\d-]*$/), label: z.string().max(80) }),
])
export type PanelItem = z.output<typeof PanelItem>

/** What a panel shows now. */
export const PanelContent = z.object({ items: z.array(PanelItem).max(200) })
export type PanelContent = z.output<typeof PanelContent>

/** What a person did. */
export const UiEvent = z.object({
  /** `plugin/panel`, as listed. */
  panel: z.string(),
  kind: z.enum(['opened', 'closed', 'action']),
  /** Of the action; null otherwise. */
  action: z.string().nullable(),
})
export type UiEvent = z.output<typeof UiEvent>

/** A panel, drawn as data: the terminal, the command line and the web render the same. The name is the panel's id. */
// oxlint-disable-next-line typescript/explicit-module-boundary-types -- inferred from the schemas above
export const panel = defineProvider(
  'exliar.panel',
  {
    /** What to show now; asked again about once a second while it is shown. */
    render: unary(z.null(), PanelContent, { timeoutMs: 5_000 }),
  },
  {
    title: 'A panel of the user interface',
    metadata: z.object({ title: z.string().min(1).max(80), description: z.string().max(400).optional() }),
  },
)
