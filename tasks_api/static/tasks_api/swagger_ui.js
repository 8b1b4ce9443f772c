"use strict";

const container = document.getElementById("swagger-ui");

SwaggerUIBundle({
  domNode: container,
  url: container.dataset.url,
  deepLinking: true,
  // A key that is typed in is gone with the page.
  persistAuthorization: false,
  // The default would send the document's address to a validator on the network.
  validatorUrl: null,
});
