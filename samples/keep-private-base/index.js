console.log('inside');
