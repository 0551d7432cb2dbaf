import { memoryStore } from '@backplane/kernel'
import { storeContract } from './store-contract.ts'

storeContract('memoryStore()', async () => memoryStore())
