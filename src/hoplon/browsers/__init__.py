"""What browsers and frameworks do beside the method line: requests that ask for another method."""
