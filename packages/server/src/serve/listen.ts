import { once } from 'node:events'
import type { ListenOptions, Server } from 'node:net'
import { serverErrors } from '../errors.ts'

/** Listens, and says what is in the way when it cannot. Errors: `SERVER_ADDRESS_IN_USE`, `SERVER_ADDRESS_UNAVAILABLE`. */
export async function listen(server: Server, options: ListenOptions, address: string): Promise<void> {
  try {
    server.listen(options)
    await once(server, 'listening')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (code === 'EADDRINUSE') throw serverErrors.error('SERVER_ADDRESS_IN_USE', { address }, { cause: error })
    const reason = code === '' ? String(error) : code
    throw serverErrors.error('SERVER_ADDRESS_UNAVAILABLE', { address, reason }, { cause: error })
  }
}
