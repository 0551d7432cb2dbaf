import { leastGrant, type PluginUses } from '@backplane/kernel'
import { z } from '@hono/zod-openapi'

const Time = z.iso.datetime()

/** What became of one permission. */
const UsedView = z.object({
  permission: z.string().describe('As the manifest writes it.'),
  used: z
    .object({
      count: z.int().describe('At least so often.'),
      first: Time.nullable(),
      last: Time.nullable(),
      by: z
        .enum(['host', 'plugin'])
        .nullable()
        .describe('Who says so: `host` saw it; `plugin` is its own word, which it can make up or keep to itself.'),
      seen: z.array(z.string()).describe('The files or places, 64 at most; of more files the directory that holds them all.'),
      complete: z.boolean().describe('False when there were more than `seen` tells.'),
    })
    .nullable()
    .describe('Null when this host cannot tell; `unknown` says why.'),
  watched_since: Time.nullable().describe('Since when every use is told, without a break; null: it is not.'),
  unknown: z.string().nullable().describe('Why it is not told.'),
  withheld: z.boolean(),
  needed_for: z.string().nullable().describe('A point that it fills and that takes this permission.'),
})

/** What a plugin used, and the least it could be granted. */
export const usedShape = {
  audit: z
    .object({ on: z.boolean(), reason: z.string().nullable().describe('Why it is off although it was to be on.') })
    .nullable()
    .describe('Audit mode, in which uses of files and programs are told; null where it was not asked for.'),
  used: z.array(UsedView).describe('What the version that serves, or would, asks for, in the order of its manifest.'),
  proposal: z
    .object({
      since: Time.nullable().describe('Uses from then on count; null: all.'),
      used: z.array(z.string()).describe('Used, or needed for a point it fills.'),
      unknown: z.array(z.string()).describe('Nobody can say, for all that time at least; to be kept.'),
      unused: z.array(z.string()).describe('Never used while it was watched, or withheld already; to be withheld.'),
      narrower: z
        .record(z.string(), z.array(z.string()))
        .describe('Of those that were used for less than they open: what a manifest could ask for instead.'),
    })
    .describe('The least with which it could have done what it did.'),
} as const

type Used = z.output<z.ZodObject<typeof usedShape>>

/** Shows it; uses since `sinceMs` count, by default all. */
export function usedView(uses: PluginUses, sinceMs: number | undefined): Used {
  const { used, unknown, unused, narrower } = leastGrant(uses, sinceMs)
  const { audit } = uses
  return {
    audit: audit === undefined ? null : { on: audit.isOn, reason: audit.isOn ? null : audit.reason },
    used: uses.permissions.map((one) => ({
      permission: one.permission,
      used: countView(one),
      watched_since: time(one.watchedSinceMs),
      unknown: one.unknown ?? null,
      withheld: one.isWithheld,
      needed_for: one.neededFor ?? null,
    })),
    proposal: {
      since: time(sinceMs),
      used: [...used],
      unknown: [...unknown],
      unused: [...unused],
      narrower: Object.fromEntries(Object.entries(narrower).map(([permission, texts]) => [permission, [...texts]])),
    },
  }
}

function countView({ used, unknown }: PluginUses['permissions'][number]): Used['used'][number]['used'] {
  if (used !== undefined) {
    const { count, firstMs, lastMs, by, seen, isWhole } = used
    return { count, first: time(firstMs), last: time(lastMs), by, seen: [...seen], complete: isWhole }
  }
  return unknown === undefined ? { count: 0, first: null, last: null, by: null, seen: [], complete: true } : null
}

function time(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString()
}
