import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'

/** Debian's docker-registry with its files in a folder. Ask `requireProgram(t, 'docker-registry', 'docker-registry')` first. */
export interface DockerRegistry {
  /** `127.0.0.1:12345`. */
  readonly host: string
  readonly url: string
  /** Where its files are. */
  readonly storage: string
  readonly stop: () => Promise<void>
}

/** Name and password that a registry with {@link passwordAuth} takes. */
export const registryAccount: { readonly kind: 'basic'; readonly user: string; readonly password: string } = {
  kind: 'basic',
  user: 'ci',
  password: 'secret',
}
/** The same as Apache writes it (bcrypt). */
const passwordFile = 'ci:$2y$05$Nj.uVd7fl3PWa5x54gi1fuePljdTuJFgvGCeKZU.0brgzknAHj5EG\n'

/** Members of its configuration with which it asks for {@link registryAccount}; `root` is where the registry is. */
export function passwordAuth(root: string): object {
  return { auth: { htpasswd: { realm: 'registry', path: join(root, 'htpasswd') } } }
}

/** Starts one below `root`, on a port of its own; it ends with the test. `config` is added to its configuration. */
export async function dockerRegistry(
  t: TestContext,
  root: string,
  { storage: more = {}, ...config }: { readonly storage?: object } & object = {},
): Promise<DockerRegistry> {
  const storage = join(root, 'storage')
  await mkdir(storage)
  await writeFile(join(root, 'htpasswd'), passwordFile)
  const file = join(root, 'registry.yml')
  const whole = {
    version: 0.1,
    log: { level: 'info', formatter: 'text' },
    storage: { filesystem: { rootdirectory: storage }, ...more },
    http: { addr: '127.0.0.1:0' },
    ...config,
  }
  await writeFile(file, JSON.stringify(whole))
  const child = spawn('docker-registry', ['serve', file], { env: { PATH: '/usr/bin:/bin' }, stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = once(child, 'close')
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL')
    await ended
  }
  t.after(stop)
  const lines: string[] = []
  for await (const line of createInterface({ input: child.stderr })) {
    lines.push(line)
    const [, host] = /listening on (127\.0\.0\.1:\d+)/.exec(line) ?? []
    if (host === undefined) continue
    child.stderr.resume()
    return { host, url: `http://${host}/`, storage, stop }
  }
  throw new Error(`docker-registry did not start: ${lines.join('; ')}`)
}
