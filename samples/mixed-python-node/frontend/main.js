fetch('/api/dishes')
  .then((response) => response.json())
  .then((dishes) => {
    const items = dishes.map((dish) => Object.assign(document.createElement('li'), { textContent: dish }));
    document.querySelector('#dishes').replaceChildren(...items);
  });
