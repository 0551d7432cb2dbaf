import type { Isolation } from '@backplane/kernel'

/** The tiers plugins are run in, strongest first; `os` and `process` are both `confined`. */
export const tierNames = ['os', 'process', 'contained', 'trusted'] as const

/** One of {@link tierNames}. */
export type TierName = (typeof tierNames)[number]

/** How a host is told to run plugins in a tier. */
export interface TierChoice {
  readonly tier: 'confined' | 'contained' | 'trusted'
  readonly isolation: Partial<Isolation>
}

/** Third-party plugins of unknown authors, in each tier. */
export const tierChoices: Readonly<Record<TierName, TierChoice>> = {
  os: { tier: 'confined', isolation: { floor: 'os', trust: 'community' } },
  process: { tier: 'confined', isolation: { floor: 'process', trust: 'community' } },
  contained: { tier: 'contained', isolation: {} },
  trusted: { tier: 'trusted', isolation: {} },
}
