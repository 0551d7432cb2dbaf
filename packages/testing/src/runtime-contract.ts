import { describe } from 'node:test'
import { runtimeCallRules } from './runtime-call-contract.ts'
import { runtimeHandOverRules } from './runtime-hand-over-contract.ts'
import { runtimeHostRules } from './runtime-host-contract.ts'
import { runtimeLifeRules } from './runtime-life-contract.ts'
import { runtimeStreamRules } from './runtime-stream-contract.ts'
import type { MakeRuntime } from './runtime-subject.ts'

/**
 * What every {@link Runtime} must do, whichever way it runs a plugin. The suite's plugin is a folder of plain JavaScript
 * that imports `@backplane/sdk`, so the runtime must provide that module. What a tier adds (limits, protection) is tested
 * where the tier is.
 */
export function runtimeContract(name: string, make: MakeRuntime): void {
  describe(`${name} keeps the runtime contract`, () => {
    runtimeLifeRules(make)
    runtimeCallRules(make)
    runtimeStreamRules(make)
    runtimeHostRules(make)
    runtimeHandOverRules(make)
  })
}
