import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'

/** What it wants to be shown. */
export const token = 'npm-token-that-nobody-else-sees'

/** A registry that wants a token, in the form that npm's clients ask. */
export class NpmRegistry {
  readonly #packages = new Map<string, Map<string, Buffer>>()
  readonly #tampered = new Map<string, Buffer>()
  readonly asked: string[] = []
  url = ''

  async start(t: TestContext): Promise<void> {
    const server = createServer((request, response) => {
      this.asked.push(String(request.url))
      const answer = this.#answer(request)
      response.writeHead(answer === undefined ? 404 : request.headers.authorization === `Bearer ${token}` ? 200 : 401, {
        'content-type': typeof answer === 'string' ? 'application/json' : 'application/octet-stream',
      })
      response.end(answer)
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => {
      server.closeAllConnections()
      server.close()
    })
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  }

  /** Serves other bytes for a version than its packument says. */
  tamper(name: string, version: string, tarball: Buffer): void {
    this.#tampered.set(`${name}/${version}.tgz`, tarball)
  }

  publish(name: string, version: string, tarball: Buffer): void {
    this.#tampered.delete(`${name}/${version}.tgz`)
    const versions = this.#packages.get(name) ?? new Map<string, Buffer>()
    this.#packages.set(name, versions.set(version, tarball))
  }

  #answer({ url = '' }: IncomingMessage): string | Buffer | undefined {
    const [, scope = '', name = '', file] = decodeURIComponent(url).split('/')
    const versions = this.#packages.get(`${scope}/${name}`)
    if (versions === undefined) return undefined
    if (file !== undefined) return this.#tampered.get(`${scope}/${name}/${file}`) ?? versions.get(file.replace('.tgz', ''))
    const entries = [...versions].map(([version, bytes]) => {
      const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`
      const dist = { tarball: `${this.url}${scope}/${name}/${version}.tgz`, integrity }
      return [version, { name: `${scope}/${name}`, version, dist }] as const
    })
    const latest = [...versions.keys()].at(-1)
    return JSON.stringify({ name: `${scope}/${name}`, 'dist-tags': { latest }, versions: Object.fromEntries(entries) })
  }
}
