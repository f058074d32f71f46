(() => {
  'use strict';
  // A chart is drawn when what holds it is opened: a report of many columns costs nothing until then.
  const draw = (holder) => {
    for (const chart of holder.querySelectorAll('.chart')) {
      if (chart.closest('details') !== (holder.tagName === 'DETAILS' ? holder : null) || chart.dataset.drawn) continue;
      chart.dataset.drawn = 'yes';
      const spec = JSON.parse(chart.querySelector('script').textContent);
      chart.replaceChildren();
      Plotly.newPlot(chart, spec.data, spec.layout, spec.config);
    }
  };
  draw(document.body);
  for (const details of document.querySelectorAll('details')) {
    details.addEventListener('toggle', () => { if (details.open) draw(details); });
    if (details.open) draw(details);
  }
  // A link to a column opens it.
  const open = () => {
    const target = /^#c[0-9]+$/.test(location.hash) && document.querySelector(location.hash);
    if (target) { target.open = true; target.scrollIntoView(); }
  };
  addEventListener('hashchange', open);
  for (const link of document.querySelectorAll('a[href^="#c"]')) link.addEventListener('click', () => setTimeout(open));
  open();
  // Tables sort by a click on a heading: numbers by value, an absent one last.
  const key = (row, at) => {
    const cell = row.cells[at];
    if (!cell.classList.contains('n')) return cell.dataset.v ?? cell.textContent;
    return cell.dataset.v === undefined ? NaN : Number(cell.dataset.v);
  };
  const compare = (a, b, up) => {
    if (typeof a === 'string') return up * a.localeCompare(b);
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
    return up * (a - b);
  };
  for (const table of document.querySelectorAll('table.sortable')) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, at) => head.addEventListener('click', () => {
      const up = head.getAttribute('aria-sort') === 'ascending' ? -1 : 1;
      for (const other of heads) other.removeAttribute('aria-sort');
      head.setAttribute('aria-sort', up === 1 ? 'ascending' : 'descending');
      const rows = [...table.tBodies[0].rows];
      rows.sort((a, b) => compare(key(a, at), key(b, at), up));
      table.tBodies[0].append(...rows);
    }));
  }
  // The filter leaves what holds its text.
  const filter = document.getElementById('filter');
  if (filter) filter.addEventListener('input', () => {
    const wanted = filter.value.toLowerCase();
    for (const named of document.querySelectorAll('[data-name]')) {
      named.hidden = !named.dataset.name.toLowerCase().includes(wanted);
    }
  });
})();
