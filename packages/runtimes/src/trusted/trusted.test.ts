import { runtimeContract } from '@backplane/testing'
import { hostModules } from '../fixtures/host-modules.ts'
import { trusted } from './trusted.ts'

runtimeContract('trusted', () => trusted({ modules: hostModules }))
