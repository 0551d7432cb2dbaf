import { runtimeContract } from '@backplane/testing'
import { hostModules } from '../fixtures/host-modules.ts'
import { confined } from './confined.ts'

runtimeContract('confined', () => confined({ modules: hostModules }))
runtimeContract('confined from a pool', async () => {
  const runtime = confined({ modules: hostModules, pool: { size: 2 } })
  await runtime.warm()
  return runtime
})
