import assert from 'node:assert/strict'
import { chmod, mkdir, readdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import type { FoundPackage, Source, StagedPackage } from '@backplane/kernel'
import { temporaryDirectory } from './temporary-directory.ts'

/** What the suite asks a source for: the packages `names`, each a folder in `root`, staged into `store`. */
export interface SourceRequest {
  readonly root: string
  readonly names: readonly string[]
  readonly store: string
}

const signal = AbortSignal.timeout(60_000)

/** What every {@link Source} of package folders must do. The folders hold a `plugin.json` and an `index.js`. */
export function sourceContract(name: string, make: (request: SourceRequest) => Source): void {
  const rule = (title: string, check: (subject: Subject) => Promise<void>): void => {
    test(title, async (t) => check(await Subject.make(t, make)))
  }

  describe(`${name} keeps the source contract`, () => {
    rule('it lists each package with its manifest, place and fingerprint, the same each time', async (subject) => {
      const { packages, problems } = await subject.source.list(signal)
      assert.deepEqual(problems, [])
      assert.deepEqual(
        packages.map(({ path }) => path),
        [join(subject.root, 'one'), join(subject.root, 'two')],
      )
      assert.deepEqual(packages[0]?.manifest, manifestOf('one'))
      assert.equal(packages[0]?.manifestPath, join(subject.root, 'one', 'plugin.json'))
      const again = await subject.source.list(signal)
      assert.deepEqual(again.packages.map(fingerprintOf), packages.map(fingerprintOf))
    })

    rule('a package that cannot be read is a problem and hides no other', async (subject) => {
      await writeFile(join(subject.root, 'one', 'plugin.json'), '{\n  "id": oops\n}')
      const { packages, problems } = await subject.source.list(signal)
      assert.deepEqual(
        packages.map(({ path }) => path),
        [join(subject.root, 'two')],
      )
      assert.deepEqual(
        problems.map(({ path, error }) => [path, error.code, error.details?.['line'], error.details?.['column']]),
        [[join(subject.root, 'one'), 'SOURCE_MANIFEST_INVALID', 2, 9]],
      )
    })

    rule('an edit of equal size with its old modification time changes the fingerprint', async (subject) => {
      const before = await subject.found('one')
      const file = join(subject.root, 'one', 'index.js')
      await utimes(file, 1, 1)
      const touched = await subject.found('one')
      await writeFile(file, codeOf('eno'))
      await utimes(file, 1, 1)
      const after = await subject.found('one')
      assert.equal(new Set([before, touched, after].map(fingerprintOf)).size, 3)
    })

    rule('staging gives a read-only copy elsewhere that later changes do not reach', async (subject) => {
      const found = await subject.found('one')
      const directory = await stagedDirectory(found)
      assert.ok(!directory.startsWith(subject.root + sep))
      assert.deepEqual(await readdir(directory), ['index.js', 'plugin.json'])
      await writeFile(join(subject.root, 'one', 'index.js'), 'broken(')
      await rm(join(subject.root, 'one'), { recursive: true })
      assert.equal(await readFile(join(directory, 'index.js'), 'utf8'), codeOf('one'))
    })

    rule('the digest is of the bytes: the same for the same, another for others, wherever they lie', async (subject) => {
      const [one, two] = [await subject.found('one'), await subject.found('two')]
      const first = await one.stage(signal)
      assert.match(first.digest, /^sha256:[0-9a-f]{64}$/)
      assert.deepEqual(bytesOf(await one.stage(signal)), bytesOf(first))
      assert.notEqual((await two.stage(signal)).digest, first.digest)
      await subject.put('two', { 'plugin.json': JSON.stringify(manifestOf('one')), 'index.js': codeOf('one') })
      assert.deepEqual(bytesOf(await (await subject.found('two')).stage(signal)), bytesOf(first))
    })

    rule(
      'what was staged can be recalled by its digest, with its manifest, when the source has something else',
      async (subject) => {
        const found = await subject.found('one')
        const staged = await found.stage(signal)
        await subject.put('one', { 'index.js': codeOf('other') })
        const other = await (await subject.found('one')).stage(signal)
        await staged.release?.()
        const recalled = await subject.source.recall?.(staged.digest, signal)
        assert.deepEqual(recalled?.manifest, manifestOf('one'))
        assert.deepEqual([recalled.staged.digest, recalled.staged.code], [staged.digest, staged.code])
        await recalled.staged.release?.()
        await other.release?.()
      },
    )

    rule('what was never staged, or is no longer what it was, is not recalled', async (subject) => {
      const staged = await (await subject.found('one')).stage(signal)
      await staged.release?.()
      for (const digest of [`sha256:${'0'.repeat(64)}`, 'sha256:../../etc', '']) {
        assert.equal(await subject.source.recall?.(digest, signal), undefined)
      }
      assert.equal(staged.code.kind, 'files')
      const file = join(staged.code.directory, 'index.js')
      await chmod(file, 0o600)
      await writeFile(file, 'tampered')
      assert.equal(await subject.source.recall?.(staged.digest, signal), undefined)
    })

    rule('a package that is no longer what was listed is not staged', async (subject) => {
      const found = await subject.found('one')
      await writeFile(join(subject.root, 'one', 'index.js'), codeOf('eno'))
      await assert.rejects(found.stage(signal), { code: 'SOURCE_CHANGED', retryable: true })
      await rm(join(subject.root, 'one'), { recursive: true })
      await assert.rejects(found.stage(signal), { code: 'SOURCE_CHANGED' })
    })

    rule('a package without its main module is listed and refused when staged', async (subject) => {
      await rm(join(subject.root, 'one', 'index.js'))
      await assert.rejects((await subject.found('one')).stage(signal), { code: 'SOURCE_ENTRY_MISSING' })
      await subject.put('two', { 'plugin.json': JSON.stringify({ ...manifestOf('two'), main: '../one/plugin.json' }) })
      await assert.rejects((await subject.found('two')).stage(signal), { code: 'SOURCE_ENTRY_MISSING' })
    })

    rule('links and set-id files are refused when staged', async (subject) => {
      await symlink('/etc/hostname', join(subject.root, 'one', 'data.txt'))
      await assert.rejects((await subject.found('one')).stage(signal), { code: 'SOURCE_UNSAFE_ENTRY', message: /symbolic link/ })
      await chmod(join(subject.root, 'two', 'index.js'), 0o4755)
      await assert.rejects((await subject.found('two')).stage(signal), { code: 'SOURCE_UNSAFE_ENTRY', message: /set-user-id/ })
    })

    rule('listing and staging end with the reason of an aborted signal', async (subject) => {
      const found = await subject.found('one')
      const reason = new Error('enough')
      await assert.rejects(subject.source.list(AbortSignal.abort(reason)), reason)
      await assert.rejects(found.stage(AbortSignal.abort(reason)), reason)
    })
  })
}

/** Two packages, `one` and `two`, and the source that lists them. */
class Subject {
  readonly root: string
  readonly source: Source

  constructor(root: string, source: Source) {
    this.root = root
    this.source = source
  }

  static async make(t: TestContext, make: (request: SourceRequest) => Source): Promise<Subject> {
    const directory = await temporaryDirectory(t)
    const root = join(directory, 'packages')
    const names = ['one', 'two']
    const subject = new Subject(root, make({ root, names, store: join(directory, 'store') }))
    for (const name of names) {
      await subject.put(name, { 'plugin.json': JSON.stringify(manifestOf(name)), 'index.js': codeOf(name) })
    }
    return subject
  }

  async put(name: string, files: Readonly<Record<string, string>>): Promise<void> {
    for (const [path, text] of Object.entries(files)) {
      const file = join(this.root, name, path)
      await mkdir(dirname(file), { recursive: true })
      await writeFile(file, text)
    }
  }

  async found(name: string): Promise<FoundPackage> {
    const { packages, problems } = await this.source.list(signal)
    const found = packages.find(({ path }) => path === join(this.root, name))
    assert.ok(found, `${name} is not listed: ${JSON.stringify(problems)}`)
    return found
  }
}

/** What was staged, without who holds it. */
function bytesOf({ digest, code }: StagedPackage): Omit<StagedPackage, 'release'> {
  return { digest, code }
}

async function stagedDirectory(found: FoundPackage): Promise<string> {
  const { code } = await found.stage(signal)
  assert.equal(code.kind, 'files')
  return code.directory
}

function fingerprintOf({ fingerprint }: FoundPackage): string {
  return fingerprint
}

function manifestOf(name: string): Record<string, unknown> {
  return { schemaVersion: 1, id: `acme/${name}`, version: '1.0.0', requires: { api: '^1.0.0' } }
}

function codeOf(name: string): string {
  return `export default '${name}'\n`
}
