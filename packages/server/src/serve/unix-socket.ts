import { once } from 'node:events'
import { randomBytes } from 'node:crypto'
import { chmod, link, lstat, mkdir, rmdir, unlink } from 'node:fs/promises'
import { connect, type Server } from 'node:net'
import { dirname, join } from 'node:path'
import { serverErrors } from '../errors.ts'
import { listen } from './listen.ts'

/** sun_path less its terminating zero. Source: unix(7). */
const pathLimitBytes = 107

/**
 * Listens on a unix socket that nobody but its owner can connect to at any moment: it is bound in a fresh directory of
 * mode 0700, made 0600 there and only then linked to its name. A socket left by a dead process is replaced; one that
 * answers is not. Answers what takes the name away again.
 * Errors: `SERVER_ADDRESS_IN_USE`, `SERVER_ADDRESS_UNAVAILABLE`, `SERVER_SOCKET_OCCUPIED`, `SERVER_SOCKET_PATH_LONG`.
 */
export async function listenUnix(server: Server, path: string): Promise<AsyncDisposable> {
  const room = join(dirname(path), `.${randomBytes(4).toString('hex')}`)
  const bound = join(room, 's')
  if (Math.max(Buffer.byteLength(path), Buffer.byteLength(bound)) > pathLimitBytes) {
    const limit = pathLimitBytes + path.length - Math.max(path.length, bound.length)
    throw serverErrors.error('SERVER_SOCKET_PATH_LONG', { path, limit })
  }
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    await mkdir(room, { mode: 0o700 })
    await listen(server, { path: bound }, path)
    await chmod(bound, 0o600)
    await publish(bound, path)
    const { ino } = await lstat(path)
    return { [Symbol.asyncDispose]: () => withdraw(path, ino) }
  } catch (error) {
    server.close()
    if (error instanceof Error && 'code' in error && String(error.code).startsWith('SERVER_')) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw serverErrors.error('SERVER_ADDRESS_UNAVAILABLE', { address: path, reason }, { cause: error })
  } finally {
    await unlink(bound).catch(() => undefined)
    await rmdir(room).catch(() => undefined)
  }
}

async function publish(bound: string, path: string): Promise<void> {
  try {
    await link(bound, path)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    if (!(await lstat(path)).isSocket()) throw serverErrors.error('SERVER_SOCKET_OCCUPIED', { path })
    if (await answers(path)) throw serverErrors.error('SERVER_ADDRESS_IN_USE', { address: path })
    await unlink(path)
    await link(bound, path)
  }
}

/** Whether a process listens on the socket. Full or slow counts as yes: only a refused connection is proof of death. */
async function answers(path: string): Promise<boolean> {
  const socket = connect(path)
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(1_000) })
    return true
  } catch (error) {
    return !(error instanceof Error && 'code' in error && (error.code === 'ECONNREFUSED' || error.code === 'ENOENT'))
  } finally {
    socket.destroy()
  }
}

// Only if it is still ours: a successor may have replaced it.
async function withdraw(path: string, ino: number): Promise<void> {
  try {
    if ((await lstat(path)).ino === ino) await unlink(path)
  } catch {
    // Already gone.
  }
}
