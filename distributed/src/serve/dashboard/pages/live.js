// Figures that go on coming, and the state of the connection.

const state = document.getElementById("connection");

export function show(kind, text) {
  state.className = `connection ${kind}`;
  state.textContent = text;
}

// Listens to a stream; gives a function that ends it.
export function listen(path, handlers) {
  const source = new EventSource(path);
  source.onopen = () => show("live", "live");
  // The browser tries again by itself, unless the server said no.
  source.onerror = () => show("lost", source.readyState === EventSource.CLOSED ? "not connected" : "reconnecting");
  for (const [name, handler] of Object.entries(handlers)) {
    source.addEventListener(name, (event) => handler(JSON.parse(event.data), source));
  }
  return () => source.close();
}

// An answer of the server, once.
export async function get(path) {
  const answer = await fetch(path);
  const told = await answer.json().catch(() => ({ error: answer.statusText }));
  if (!answer.ok) throw new Error(told.error || answer.statusText);
  return told;
}

// Calls something every so often while the page is seen; gives a function that ends it.
export function every(milliseconds, work) {
  const timer = setInterval(() => document.hidden || work(), milliseconds);
  return () => clearInterval(timer);
}
