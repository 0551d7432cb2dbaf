import { defaultLimits, type Limits } from '@backplane/kernel'

/** Limits of a plugin in a runtime's test: the kernel's own defaults, with little room for stored state. */
export const testLimits: Limits = { ...defaultLimits, stateBytes: 1024 }
