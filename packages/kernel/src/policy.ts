import type { Tier } from '@backplane/sdk'
import type { Policy } from './kernel.ts'
import type { Enforcement } from './ports.ts'

/** Tiers in order of how much they keep a plugin from. */
const strength: readonly Tier[] = ['trusted', 'contained', 'confined', 'foreign', 'wasm']

/** What {@link chooseTier} is given. */
export interface TierRequest {
  readonly id: string
  readonly origin: 'bundled' | 'external'
  /** The operator's word for this plugin. */
  readonly settings: Tier | undefined
  readonly policy: Policy
  /** Tiers the plugin works in; undefined: all. */
  readonly accepted: readonly Tier[] | undefined
  /** Tiers this host has a runtime for. */
  readonly available: readonly Tier[]
}

/** The tier a plugin runs in. A plugin may ask for a stronger tier than policy chose, never for a weaker one. */
export function chooseTier(
  request: TierRequest,
): { readonly ok: true; readonly tier: Tier } | { readonly ok: false; readonly tier: Tier; readonly reason: string } {
  const { settings, policy, id, origin, accepted, available } = request
  const wanted = settings ?? policy.tier?.({ id, origin }) ?? (origin === 'bundled' ? 'trusted' : 'confined')
  const stands = (tier: Tier): boolean => (accepted?.includes(tier) ?? true) && available.includes(tier)
  if (stands(wanted)) return { ok: true, tier: wanted }
  if (!(accepted?.includes(wanted) ?? true)) {
    const stronger = settings === undefined ? strength.slice(strength.indexOf(wanted) + 1).find(stands) : undefined
    if (stronger !== undefined) return { ok: true, tier: stronger }
    return { ok: false, tier: wanted, reason: `the plugin works only in ${accepted?.join(', ')}` }
  }
  return { ok: false, tier: wanted, reason: `this host has runtimes for ${available.join(', ') || 'no tier'} only` }
}

/**
 * What a tier would have to enforce and cannot, and the list with waivers written into it. `trusted` promises nothing and
 * `contained` only limits, so choosing them is the waiver of the rest. A limit may be enforced coarsely, a permission not.
 */
export function weighEnforcement(
  enforcement: readonly Enforcement[],
  tier: Tier,
  waived: readonly string[],
): { readonly enforcement: readonly Enforcement[]; readonly missing: readonly Enforcement[] } {
  const missing: Enforcement[] = []
  const weighed = enforcement.map((entry) => {
    const isLimit = entry.what.startsWith('limit:')
    const demanded = tier !== 'trusted' && (isLimit || tier !== 'contained')
    if (!demanded || entry.level === 'exact' || (isLimit && entry.level === 'coarse')) return entry
    const waiver = waived.some((name) => name === '*' || name === entry.what || entry.what.startsWith(`${name}:`))
    if (!waiver) missing.push(entry)
    return waiver ? { ...entry, mechanism: `${entry.mechanism}; waived by policy` } : entry
  })
  return { enforcement: weighed, missing }
}
