import { runtimeContract } from '@backplane/testing'
import { hostModules } from '../fixtures/host-modules.ts'
import { contained } from './contained.ts'

runtimeContract('contained', () => contained({ modules: hostModules }))
runtimeContract('contained from a pool', async () => {
  const runtime = contained({ modules: hostModules, pool: { size: 2 } })
  await runtime.warm()
  return runtime
})
