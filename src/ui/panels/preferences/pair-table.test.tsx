// @vitest-environment happy-dom
import { cleanup, render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { useState } from 'react';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { viewDataset } from '../../../preferences/selection/choose-pairs';
import { installStillLayout } from '../../../testing/layout';
import { syntheticDataset } from '../../../testing/synthetic-dataset';
import { conceptCounts, facetReader } from './pair-filter';
import { FIRST_LOOK, PairTable } from './pair-table';
import { pairRows } from './queue';

beforeAll(() => {
  installStillLayout();
  // Without a layout a virtual list would show nothing.
  for (const side of ['offsetHeight', 'offsetWidth', 'clientHeight', 'clientWidth'])
    Object.defineProperty(HTMLElement.prototype, side, { configurable: true, get: () => 400 });
  HTMLElement.prototype.scrollTo = function scrollTo(this: HTMLElement, options?: unknown) {
    this.scrollTop = (options as ScrollToOptions).top ?? 0;
    this.dispatchEvent(new Event('scroll'));
  } as HTMLElement['scrollTo'];
});
afterEach(cleanup);

const { dataset, groups, votes } = syntheticDataset(600);
const rows = pairRows(viewDataset(groups, dataset), groups, votes);

function Host({ shown, onOpen }: { shown: typeof rows; onOpen: (id: string) => void }) {
  const [look, setLook] = useState(FIRST_LOOK);
  const [facetsOf] = useState(facetReader);
  return <PairTable rows={shown} facetsOf={facetsOf} look={look} onLook={setLook} onOpen={onOpen} />;
}

function renderTable(shown = rows) {
  const opened: string[] = [];
  render(<Host shown={shown} onOpen={(id) => opened.push(id)} />);
  return { opened, user: userEvent.setup() };
}
const bodyRows = () => screen.getAllByRole('row').slice(1);
const focusedRow = () =>
  Number(document.activeElement?.closest('[role="row"]')?.getAttribute('aria-rowindex'));

test('says how many of how many are shown, and only those in sight are in the page', async () => {
  const { user } = renderTable();
  expect(screen.getByRole('status').textContent).toBe('600 of 600 pairs');
  expect(screen.getByRole('grid').getAttribute('aria-rowcount')).toBe('601');
  expect(bodyRows().length).toBeLessThan(60);
  await user.selectOptions(screen.getByRole('combobox', { name: 'Vote' }), 'Not voted on');
  const unvoted = rows.filter(({ verdict }) => verdict === null).length;
  expect(screen.getByRole('status').textContent).toBe(`${unvoted} of 600 pairs`);
});

test('offers the sound events of the captions with their counts', async () => {
  const { user } = renderTable();
  const [name, count] = conceptCounts(rows, facetReader())[0]!;
  await screen.findByRole('option', { name: `${name} (${count})` });
  await user.selectOptions(screen.getByRole('combobox', { name: 'Sound event' }), name);
  expect(screen.getByRole('status').textContent).toBe(`${count} of 600 pairs`);
});

test('filters that hide everything say so, and lead back', async () => {
  const { user } = renderTable();
  await user.type(screen.getByRole('textbox', { name: /^Winner at least/ }), '2');
  expect(screen.getByRole('status').textContent).toBe('0 of 600 pairs');
  expect(screen.queryByRole('grid')).toBeNull();
  screen.getByText('No pair fits these filters');
  await user.click(screen.getByRole('button', { name: 'Show all 600 pairs' }));
  expect(screen.getByRole('status').textContent).toBe('600 of 600 pairs');
  expect((screen.getByRole('textbox', { name: /^Winner at least/ }) as HTMLInputElement).value).toBe('');
});

test('without pairs it says when there are some', () => {
  renderTable([]);
  screen.getByText(/There are no pairs yet/);
  expect(screen.queryByRole('combobox')).toBeNull();
});

test('sorts by a column, the other way at the second press, and says so', async () => {
  const { user } = renderTable();
  const winner = screen.getByRole('columnheader', { name: /Winner/ });
  const firstScore = () => Number(bodyRows()[0]!.querySelectorAll('[role="gridcell"]')[2]!.textContent);
  const scores = rows.map(({ score }) => score);
  await user.click(screen.getByRole('button', { name: /Winner/ }));
  expect(winner.getAttribute('aria-sort')).toBe('descending');
  expect(firstScore()).toBeCloseTo(Math.max(...scores), 3);
  await user.click(screen.getByRole('button', { name: /Winner/ }));
  expect(winner.getAttribute('aria-sort')).toBe('ascending');
  expect(firstScore()).toBeCloseTo(Math.min(...scores), 3);
});

test('keys go from row to row, also to rows that were not in the page, and open one', async () => {
  const { user, opened } = renderTable();
  const tabStops = bodyRows().filter((row) => row.querySelector('button')!.tabIndex === 0);
  expect(tabStops).toHaveLength(1);
  tabStops[0]!.querySelector('button')!.focus();
  expect(focusedRow()).toBe(2);
  await user.keyboard('{ArrowDown}{ArrowDown}{ArrowUp}');
  expect(focusedRow()).toBe(3);
  await user.keyboard('{PageDown}');
  expect(focusedRow()).toBe(12);
  await user.keyboard('{End}');
  expect(focusedRow()).toBe(601);
  await user.keyboard('{ArrowDown}');
  expect(focusedRow()).toBe(601);
  await user.keyboard('{Enter}');
  const lowest = rows.toSorted((one, other) => one.delta - other.delta)[0]!;
  expect(opened).toEqual([lowest.pair.id]);
  await user.keyboard('{Home}');
  expect(focusedRow()).toBe(2);
});
