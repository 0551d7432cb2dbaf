import { runtimeContract } from '@backplane/testing'
import { hostModules } from '../fixtures/host-modules.ts'
import { inSandbox } from '../fixtures/in-sandbox.ts'
import { confined } from './confined.ts'

runtimeContract('confined in a sandbox', () => inSandbox(confined({ modules: hostModules })))
