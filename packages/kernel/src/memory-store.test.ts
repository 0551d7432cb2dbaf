import { storeContract } from '@backplane/testing'
import { memoryStore } from './memory-store.ts'

storeContract('memoryStore', async () => memoryStore())
