import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PanelItem } from '@exliar-vfio/points'
import { sparkline } from './sparkline.ts'
import { panelBody } from './tui/views/panel-body.ts'
import { itemText } from './verbs/contributed.ts'

test('a chart is as high as its values, the newest of them; what is below nothing shows', () => {
  assert.equal(sparkline([0, 4, 8], 80), '▁▅█')
  assert.equal(sparkline([-8, 0], 80), '▁█')
  assert.equal(sparkline([0, 0], 80), '▁▁')
  assert.equal(sparkline([], 80), '')
  assert.equal(sparkline([8, 1, 1], 2), '██')
})

test('a chart is the same on the screen and in what a verb prints', () => {
  const item: PanelItem = { kind: 'chart', label: 'load', values: [-8, 0.1, 0.4], unit: '%' }
  const [line] = panelBody({ items: [item] }, -1, 80).lines
  assert.equal(itemText(item).trimEnd(), `load: ${line?.[1]?.text} %`)
})
