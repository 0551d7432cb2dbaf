import assert from 'node:assert/strict'
import { test } from 'node:test'
import { after, pressed, question, seen } from './fixtures/known-machine.ts'
import { update } from './update.ts'

test('y allows the question that is shown, n refuses it with what is typed', () => {
  const asked = after(seen(), { kind: 'asked', request: question('a') }, { kind: 'asked', request: question('b') })
  assert.match(asked.message?.text ?? '', /asks for approval/)
  assert.deepEqual(pressed(asked, 'y')[1], [], 'on another screen it answers nothing')
  assert.deepEqual(pressed(asked, '7', 'y')[1], [{ kind: 'decide', id: 'a', approved: true, reason: null }])
  const [typing] = pressed(asked, '7', 'down', 'n', 'n', 'o', 'x', 'backspace', '7', 'q')
  assert.deepEqual([typing.refusing, typing.screen], ['no7q', 'approvals'])
  assert.equal(after(typing, { kind: 'pasted', text: ' way' }).refusing, 'no7q way')
  const [refused, tasks] = pressed(typing, 'enter')
  assert.deepEqual(tasks, [{ kind: 'decide', id: 'b', approved: false, reason: 'no7q' }])
  assert.deepEqual([refused.refusing, refused.questions.map(({ id }) => id)], [null, ['a']])
  const [kept, none] = pressed(typing, 'escape')
  assert.deepEqual([kept.refusing, kept.questions.length, none], [null, 2, []])
})

test('a key that was meant for one question never answers another', () => {
  const asked = after(seen(), { kind: 'asked', request: question('a') }, { kind: 'asked', request: question('b') })
  const [shown] = pressed(asked, '7')
  const gone = after(shown, { kind: 'given-up', id: 'a' })
  assert.deepEqual([gone.question, pressed(gone, 'y')[1], pressed(gone, 'n')[0].refusing], [null, [], null])
  assert.deepEqual(pressed(gone, 'down', 'y')[1], [{ kind: 'decide', id: 'b', approved: true, reason: null }])
  assert.deepEqual(update(shown, { kind: 'key', key: 'y', alone: false })[1], [])
  const [typing] = pressed(shown, 'n', 'x')
  assert.deepEqual(after(typing, { kind: 'given-up', id: 'a' }).refusing, null)
})
