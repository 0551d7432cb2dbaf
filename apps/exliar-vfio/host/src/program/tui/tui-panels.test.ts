import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { dropIn, opened, type PluginFiles } from './fixtures/open-with-plugins.ts'

/** A panel that shows what its plugin was told of the interface. */
function listener(name: string): PluginFiles {
  return {
    id: `example/${name}`,
    contributes: { 'exliar.panel': { [name]: { title: name } }, 'exliar.ui-event': { it: {} } },
    setup: `
      const told = []
      scope.on(points.uiEvent, 'it', ({ panel, kind, action }) => void told.push([panel, kind, action].join(' ')))
      scope.provide(points.panel, '${name}', {
        render: () => ({ items: [
          ...told.map((text) => ({ kind: 'text', text })),
          { kind: 'action', id: 'first', label: 'First thing' },
          { kind: 'action', id: 'second', label: 'Second thing' },
        ] }),
      })`,
  }
}

// Each has a machine of its own, and one of them waits five seconds.
suite('panels', { concurrency: true }, () => {
  test('a panel is told that it was opened, what was done in it and that it was closed; no other plugin hears of it', async (t) => {
    const { screen, left } = await opened(t, [listener('alpha'), listener('beta')])
    screen.press('6')
    await screen.until(/‹alpha› {2}beta[^]*example\/alpha\/alpha opened/)
    screen.press('n')
    await screen.until(/› \[ Second thing \]/)
    screen.press('\r')
    await screen.until(/example\/alpha\/alpha action second/)
    screen.press('\u001B[C')
    const other = await screen.until(/‹beta›[^]*example\/beta\/beta opened/)
    assert.doesNotMatch(other, /alpha\/alpha/)
    screen.press('\u001B[D')
    const again = await screen.until(/alpha opened[^]*action second[^]*alpha closed[^]*alpha opened/)
    assert.doesNotMatch(again, /beta\/beta/)
    screen.press('q')
    assert.equal((await left).code, 0)
  })

  test('a panel can send what it likes: it steers nothing, and ten thousand rows are cut short', async (t) => {
    const hostile: PluginFiles = {
      id: 'example/hostile',
      contributes: { 'exliar.panel': { hostile: { title: 'x\u202Ey' } } },
      setup: `
      const evil = '\\u001b]0;pwned\\u0007\\u001b[2J\\u009b31m\\u202e\\r\\nred'
      const rows = Array.from({ length: 500 }, (_, row) => [String(row), evil])
      const tables = Array.from({ length: 20 }, () => ({ kind: 'table', columns: [evil, 'b'], rows }))
      scope.provide(points.panel, 'hostile', {
        render: () => ({ items: [
          { kind: 'heading', text: evil },
          { kind: 'gauge', label: evil, value: 1e300, most: 1e-300 },
          { kind: 'chart', label: evil, values: [-5, 0, 1e308], unit: evil.slice(0, 16) },
          { kind: 'fields', fields: [{ label: evil, value: evil }] },
          ...tables,
        ] }),
      })`,
    }
    const { screen, left } = await opened(t, [hostile])
    screen.press('6')
    await screen.until(/pwned/)
    screen.press('\u001B[F')
    await screen.until(/only its first 2000 lines are shown/)
    screen.press('2')
    await screen.until(/\[Devices\]/)
    screen.press('q')
    assert.equal((await left).code, 0)
    // oxlint-disable-next-line no-control-regex -- these are what must not be there
    assert.doesNotMatch(screen.raw(), /\u001B\]|\u009B|\u202E|\u0007|\u001B\[31m/)
  })

  test('a panel that never answers says so, and everything else goes on meanwhile', async (t) => {
    const mute: PluginFiles = {
      id: 'example/mute',
      contributes: { 'exliar.panel': { mute: { title: 'Mute' } } },
      setup: `scope.provide(points.panel, 'mute', { render: () => new Promise(() => undefined) })`,
    }
    const { screen, left } = await opened(t, [mute])
    screen.press('6')
    await screen.until(/example\/mute has not answered yet/)
    screen.press('2')
    await screen.until(/\[Devices\]/)
    screen.press('6')
    await screen.until(/CALL_DEADLINE/)
    screen.press('q')
    assert.equal((await left).code, 0)
  })

  test('a plugin that keeps the machine from being looked at keeps nobody from leaving', async (t) => {
    const stuck: PluginFiles = {
      id: 'example/stuck',
      contributes: { 'exliar.system-detected': { it: {} } },
      setup: `scope.on(points.systemDetected, 'it', () => new Promise(() => undefined))`,
    }
    const { screen, left } = await opened(t, [stuck], /The machine is being looked at/)
    screen.press('4')
    await screen.until(/Nothing was changed/)
    screen.press('q')
    assert.equal((await left).code, 0)
    assert.doesNotMatch(screen.frame(), /bootloader/)
  })

  test('a plugin that was put there meanwhile is found when one looks again', async (t) => {
    const { person, screen, left } = await opened(t, [])
    screen.press('5')
    assert.doesNotMatch(await screen.until(/exliar\/core/), /example\/alpha/)
    await dropIn(person, listener('alpha'))
    screen.press('r')
    await screen.until(/example\/alpha 1\.0\.0/)
    screen.press('6')
    await screen.until(/‹alpha›/)
    screen.press('q')
    assert.equal((await left).code, 0)
  })

  test('a panel that fails shows why', async (t) => {
    const broken: PluginFiles = {
      id: 'example/broken',
      contributes: { 'exliar.panel': { broken: { title: 'Broken' } } },
      setup: `scope.provide(points.panel, 'broken', { render: () => { throw new Error('no picture today') } })`,
    }
    const { screen, left } = await opened(t, [broken])
    screen.press('6')
    await screen.until(/no picture today/)
    screen.press('q')
    await left
  })
})
