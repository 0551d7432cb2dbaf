import { join } from 'node:path'
import { sourceContract } from '@backplane/testing'
import { bundled } from './bundled.ts'
import { directory } from './directory.ts'

sourceContract('directory()', ({ root, store }) => directory(root, { store, settleMs: 10 }))

sourceContract('bundled()', ({ root, names, store }) => {
  return bundled(
    names.map((name) => ({ directory: join(root, name) })),
    { store },
  )
})
