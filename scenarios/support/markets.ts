import { execFile } from 'node:child_process'
import { hash } from 'node:crypto'
import { once } from 'node:events'
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, normalize } from 'node:path'
import type { TestContext } from 'node:test'
import { promisify } from 'node:util'
import { writeIndex } from '@backplane/sources/install'
import { dockerRegistry, requireProgram } from '@backplane/testing'
import { generateKey } from '@backplane/trust'
import { runServer } from 'verdaccio'
import { backplaneHere } from './backplane.ts'
import { packFolder } from './signed-package.ts'

const { signal } = new AbortController()
const run = promisify(execFile)

/** A place that packages are published to and come from, on this machine. */
export interface Market {
  /** What `plugins.sources` of the configuration holds for it. */
  readonly sources: string
  /** What `acme/slow` is asked for by: the best version of 1. */
  readonly reference: string
  /** Publishes the package in a folder, with the signatures in it. */
  readonly publish: (folder: string, version: string) => Promise<void>
  readonly stop: () => Promise<void>
}

/** A bare repository, read by `file:`; each version is a tag. */
export interface GitMarket extends Market {
  /** Runs git where its author works. */
  readonly git: (...args: readonly string[]) => Promise<string>
  /** The bare repository. */
  readonly directory: string
}

/** Undefined when there is no git; the test is skipped then. */
export async function gitMarket(t: TestContext, root: string): Promise<GitMarket | undefined> {
  if (!requireProgram(t, 'git', 'git')) return undefined
  const [directory, work] = [join(root, 'repositories/slow.git'), join(root, 'work')]
  const author = { GIT_AUTHOR_NAME: 'a', GIT_AUTHOR_EMAIL: 'a@b', GIT_COMMITTER_NAME: 'a', GIT_COMMITTER_EMAIL: 'a@b' }
  const env = { ...author, PATH: '/usr/bin:/bin', HOME: root, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' }
  const git = async (...args: readonly string[]): Promise<string> => (await run('git', args, { cwd: work, env })).stdout.trim()
  await mkdir(join(root, 'repositories'))
  await run('git', ['init', '--quiet', '--bare', '--initial-branch=main', directory], { env })
  await run('git', ['clone', '--quiet', directory, work], { env })
  return {
    sources: 'git_folders: [./repositories]',
    reference: `git:file://${directory}@^1.0.0`,
    directory,
    git,
    publish: async (folder, version) => {
      for (const name of await readdir(work)) if (name !== '.git') await rm(join(work, name), { recursive: true })
      await cp(folder, work, { recursive: true })
      await git('add', '--all')
      await git('commit', '--quiet', '--message', version)
      await git('tag', '--force', `v${version}`)
      await git('push', '--quiet', '--force', 'origin', 'HEAD:refs/heads/main', `refs/tags/v${version}`)
    },
    stop: () => rm(join(root, 'repositories'), { recursive: true }),
  }
}

/** Debian's docker-registry. Undefined when there is none; the test is skipped then. */
export async function ociMarket(t: TestContext, root: string): Promise<Market | undefined> {
  if (!requireProgram(t, 'docker-registry', 'docker-registry')) return undefined
  await mkdir(join(root, 'registry'))
  const { host, url, stop } = await dockerRegistry(t, join(root, 'registry'))
  return {
    sources: `oci: { '${host}': { url: '${url}' } }`,
    reference: `oci:${host}/acme/slow:^1.0.0`,
    publish: async (folder) => {
      const { code, err } = await backplaneHere({ socket: '' }, [
        'push',
        folder,
        `oci://${host}/acme/slow`,
        '--registry-url',
        url,
      ])
      if (code !== 0) throw new Error(`it is not published: ${err}`)
    },
    stop,
  }
}

/** A verdaccio, to which packages are published as npm's own client sends them. */
export async function npmMarket(t: TestContext, root: string): Promise<Market> {
  const at = join(root, 'verdaccio')
  await mkdir(at)
  const server: Server = await runServer({
    storage: join(at, 'storage'),
    configPath: join(at, 'config.yaml'),
    self_path: join(at, 'config.yaml'),
    auth: { htpasswd: { file: join(at, 'htpasswd') } },
    uplinks: {},
    web: { enable: false },
    packages: { '**': { access: '$all', publish: '$all', unpublish: '$all' } },
    log: { type: 'stdout', format: 'json', level: 'fatal' },
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const stop = async (): Promise<void> => {
    server.closeAllConnections()
    server.close()
  }
  t.after(stop)
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const name = '@acme/slow'
  return {
    sources: `npm: { '@acme': { url: '${url}' } }`,
    reference: `npm:${name}@^1.0.0`,
    publish: async (folder, version) => {
      const bytes = await readFile(packFolder(folder, join(root, `slow-${version}.tgz`)))
      const file = `slow-${version}.tgz`
      const dist = {
        integrity: `sha512-${hash('sha512', bytes, 'base64')}`,
        shasum: hash('sha1', bytes),
        tarball: `${url}${name}/-/${file}`,
      }
      const attachment = { content_type: 'application/octet-stream', data: bytes.toString('base64'), length: bytes.length }
      const body = {
        _id: name,
        name,
        'dist-tags': { latest: version },
        versions: { [version]: { name, version, dist, _id: `${name}@${version}` } },
        _attachments: { [file]: attachment },
      }
      const headers = { 'content-type': 'application/json' }
      const answer = await fetch(`${url}@acme%2fslow`, { method: 'PUT', headers, body: JSON.stringify(body) })
      if (!answer.ok) throw new Error(`verdaccio answers ${answer.status}: ${await answer.text()}`)
    },
    stop,
  }
}

/** A signed index and its packages, served as plain files. */
export async function indexMarket(t: TestContext, root: string): Promise<Market> {
  const folder = join(root, 'index')
  const key = generateKey()
  await mkdir(folder)
  await writeFile(join(root, 'index.pub'), key.publicKey)
  const server = createServer((request, response) => {
    const path = join(folder, normalize(new URL(request.url ?? '', 'http://server').pathname))
    readFile(path).then(
      (bytes) => response.end(bytes),
      () => response.writeHead(404).end(),
    )
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const stop = async (): Promise<void> => {
    server.closeAllConnections()
    server.close()
  }
  t.after(stop)
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  return {
    sources: `indexes: { corp: { url: '${url}', keys: [./index.pub] } }`,
    reference: 'index:acme/slow@^1.0.0',
    publish: async (from, version) => {
      const archive = packFolder(from, join(root, `slow-${version}.tgz`))
      await writeIndex(folder, [archive], { keys: [key.privateKey], signal })
    },
    stop,
  }
}
