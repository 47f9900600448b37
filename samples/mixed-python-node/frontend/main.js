const dishes = await (await fetch('/api/dishes')).json();
document.querySelector('#dishes').replaceChildren(
  ...dishes.map((dish) => Object.assign(document.createElement('li'), { textContent: dish })),
);
