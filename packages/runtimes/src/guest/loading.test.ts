import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { pathToFileURL } from 'node:url'
import { filesAt, RuntimeSubject, temporaryDirectory } from '@backplane/testing'
import { confined } from '../confined/confined.ts'
import { contained } from '../contained/contained.ts'
import { hostModules } from '../fixtures/host-modules.ts'
import { trusted } from '../trusted/trusted.ts'
import type { HostModules } from './module-map.ts'

/** A host's package in a place of its own: `@host/points`, with a subpath, and a dependency in its node_modules. */
async function hostPackage(root: string): Promise<HostModules> {
  await write(root, {
    'points/package.json': JSON.stringify({
      name: '@host/points',
      type: 'module',
      exports: { '.': './index.js', './more': './more.js' },
      dependencies: { helper: '1.0.0' },
    }),
    'points/index.js':
      "import { help } from 'helper'\nimport { definePlugin } from '@backplane/sdk'\nexport const points = [help, typeof definePlugin]",
    'points/more.js': "export const more = 'more'",
    'node_modules/helper/package.json': JSON.stringify({ name: 'helper', type: 'module', exports: './index.js' }),
    'node_modules/helper/index.js': "export const help = 'helped'",
    ...sdkFor('points'),
  })
  return { ...hostModules, '@host/points': pathToFileURL(join(root, 'points/index.js')).href }
}

/** The SDK as a package of the host's would have it installed. */
function sdkFor(directory: string): Readonly<Record<string, string>> {
  const place = `${directory}/node_modules/@backplane/sdk`
  return {
    [`${place}/package.json`]: JSON.stringify({ name: '@backplane/sdk', exports: './index.js', type: 'module' }),
    [`${place}/index.js`]: `export * from ${JSON.stringify(import.meta.resolve('@backplane/sdk'))}`,
  }
}

/** Each says in a log line that its setup ran, and what it got. */
const plugins: Readonly<Record<string, { readonly main: string; readonly files: Readonly<Record<string, string>> }>> = {
  'an ES module without package.json': {
    main: 'index.js',
    files: {
      'index.js':
        "import { definePlugin } from '@backplane/sdk'\nimport { word } from './lib/word.js'\nexport default definePlugin((scope) => scope.log.info(`ran ${word}`))",
      'lib/word.js': "export const word = 'well'",
    },
  },
  'a module in TypeScript': {
    main: 'index.ts',
    files: {
      'index.ts':
        "import { definePlugin, type Scope } from '@backplane/sdk'\nconst word: string = 'well'\nexport default definePlugin((scope: Scope) => scope.log.info(`ran ${word}`))",
    },
  },
  'a CommonJS module that requires its own files': {
    main: 'index.cjs',
    files: {
      'index.cjs':
        "const { definePlugin } = require('@backplane/sdk')\nconst { word } = require('./word.cjs')\nmodule.exports = definePlugin((scope) => scope.log.info(`ran ${word}`))",
      'word.cjs': "exports.word = 'well'",
    },
  },
  'a bundled dependency of its own': {
    main: 'index.js',
    files: {
      'package.json': '{ "type": "module" }',
      'index.js':
        "import { definePlugin } from '@backplane/sdk'\nimport { word } from 'own-words'\nexport default definePlugin((scope) => scope.log.info(`ran ${word}`))",
      'node_modules/own-words/package.json': '{ "name": "own-words", "main": "index.cjs" }',
      'node_modules/own-words/index.cjs': "exports.word = 'well'",
    },
  },
  "the host's points, a subpath of them, and what they depend on": {
    main: 'index.js',
    files: {
      'package.json': '{ "type": "module" }',
      'index.js':
        "import { definePlugin } from '@backplane/sdk'\nimport { points } from '@host/points'\nimport { more } from '@host/points/more'\nexport default definePlugin((scope) => scope.log.info(points.join() === 'helped,function' && more === 'more' ? 'ran well' : 'ran badly'))",
    },
  },
  'a module imported later, by its URL': {
    main: 'index.mjs',
    files: {
      'index.mjs':
        "import { definePlugin } from '@backplane/sdk'\nexport default definePlugin(async (scope) => {\n  const { word } = await import(new URL('./word.mjs', import.meta.url).href)\n  scope.log.info(`ran ${word}`)\n})",
      'word.mjs': "export const word = 'well'",
    },
  },
}

const tiers = {
  trusted: async (modules: HostModules) => trusted({ modules }),
  contained: async (modules: HostModules) => contained({ modules }),
  confined: async (modules: HostModules) => confined({ modules }),
  'confined, from the pool,': async (modules: HostModules) => {
    const runtime = confined({ modules, pool: { size: 1 } })
    await runtime.warm()
    return runtime
  },
} as const

for (const [tier, make] of Object.entries(tiers)) {
  describe(`the ${tier} tier loads`, () => {
    const subjectOf = async (t: TestContext, root: string): Promise<RuntimeSubject> => {
      const modules = await hostPackage(join(root, 'host'))
      return RuntimeSubject.make(t, () => make(modules))
    }

    for (const [what, { main, files }] of Object.entries(plugins)) {
      test(what, async (t) => {
        const root = await temporaryDirectory(t)
        await write(join(root, 'plugin'), files)
        const subject = await subjectOf(t, root)
        await subject.start({ code: filesAt(join(root, 'plugin'), main) })
        await subject.line('ran well')
      })
    }

    test("a module that is no plugin through the host's adapter", async (t) => {
      const root = await temporaryDirectory(t)
      await write(root, {
        'plugin/index.cjs': "exports.Info = { name: 'well' }",
        'adapter/package.json': '{ "name": "adapter", "type": "module" }',
        'adapter/adapter.js':
          "import { definePlugin } from '@backplane/sdk'\nexport const adapt = ({ Info }) => definePlugin((scope) => scope.log.info(`ran ${Info.name}`))",
        ...sdkFor('adapter'),
      })
      const subject = await subjectOf(t, root)
      const code = { ...filesAt(join(root, 'plugin'), 'index.cjs'), adapter: join(root, 'adapter/adapter.js') }
      await subject.start({ code })
      await subject.line('ran well')
    })
  })
}

test('a module in memory runs in the trusted tier and nowhere else', async (t) => {
  const { definePlugin } = await import('@backplane/sdk')
  const code = { kind: 'module', module: definePlugin((scope) => scope.log.info('ran')) } as const
  const subject = await RuntimeSubject.make(t, () => trusted())
  await subject.start({ code })
  await subject.line('ran')
  for (const make of [contained, confined]) {
    const other = await RuntimeSubject.make(t, () => make())
    await assert.rejects(other.start({ code }), { code: 'RUNTIME_CODE_UNSUPPORTED' })
  }
})

test("the host's own imports stay as they are", async (t) => {
  const root = await temporaryDirectory(t)
  await write(join(root, 'plugin'), plugins['an ES module without package.json']?.files ?? {})
  const subject = await RuntimeSubject.make(t, () =>
    trusted({ modules: { ...hostModules, 'no-such-package': 'file:///nowhere.js' } }),
  )
  await subject.start({ code: filesAt(join(root, 'plugin'), 'index.js') })
  const name: string = 'no-such-package'
  await assert.rejects(import(name), { code: 'ERR_MODULE_NOT_FOUND' })
})

async function write(root: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(root, name, '..'), { recursive: true })
    await writeFile(join(root, name), text)
  }
}
