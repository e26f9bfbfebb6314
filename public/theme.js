// Runs before the first paint, so that a chosen theme does not flash the other one.
try {
  const saved = JSON.parse(localStorage.getItem('tango-studio:appearance') || '{}');
  const theme = saved.state?.theme;
  if (theme === 'dark' || theme === 'light') document.documentElement.dataset.theme = theme;
} catch {
  // Storage can be closed to us (private mode) or hold something else: the system's theme is shown.
}
